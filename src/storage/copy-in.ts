/** COPY … FROM STDIN through `pg`, which knows the messages but has no query of its own for it. */
import type pg from 'pg';

/** What a connection of `pg` offers for COPY; its published types leave it out. */
interface CopyConnection extends pg.Connection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/**
 * Runs `statements`, the last of which is `COPY … FROM STDIN`, with `rows` as its data. They travel as one message, so that
 * outside a transaction block they are a transaction of their own: it is committed when this resolves and rolled back when
 * it rejects (unless the connection was lost, when nothing is known).
 *
 * @param statements without parameters
 * @param rows in COPY's text format
 */
export function copyIn(client: pg.ClientBase, statements: string, rows: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    client.query(new CopyIn(statements, rows, { resolve, reject }));
  });
}

interface Settle {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Called by `pg` as the server's messages arrive; what other statements answer is of no interest. */
class CopyIn implements pg.Submittable {
  constructor(
    private readonly statements: string,
    private readonly rows: Buffer,
    private readonly settle: Settle,
  ) {}

  /**
   * The rows follow at once, without waiting for the server to ask for them: one write, one answer. When a statement fails
   * before, the server passes over them ("CopyData … outside copy mode": PostgreSQL, message flow of COPY).
   */
  submit(connection: pg.Connection): void {
    const { stream } = connection;
    stream.cork();
    connection.query(this.statements);
    (connection as CopyConnection).sendCopyFromChunk(this.rows);
    (connection as CopyConnection).endCopyFrom();
    stream.uncork();
  }

  handleCopyInResponse(): void {
    return;
  }

  handleRowDescription(): void {
    return;
  }

  handleDataRow(): void {
    return;
  }

  handleCommandComplete(): void {
    return;
  }

  handleReadyForQuery(): void {
    this.settle.resolve();
  }

  handleError(error: Error): void {
    this.settle.reject(error);
  }
}

const escapes: ReadonlyMap<string, string> = new Map([
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);
const needsEscape = /[\\\n\r\t]/;
const escaped = /[\\\n\r\t]/g;

/** A value in COPY's text format. */
export function copyText(text: string | null): string {
  if (text === null) return '\\N';
  return needsEscape.test(text) ? text.replace(escaped, (character) => escapes.get(character) ?? character) : text;
}
