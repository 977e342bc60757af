/**
 * A lean HTTP/1.1 client: one socket a connection, no pipelining. fetch and node:http cost more CPU than the server under
 * test, and client and server share the cores here.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';

/** Complete requests, head and body, made before the clock starts. */
export function requestsOf(path: string, bodies: readonly Buffer[]): Buffer[] {
  return bodies.map((body) => {
    const head = `POST ${path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
    return Buffer.concat([Buffer.from(head, 'latin1'), body]);
  });
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

class Connection {
  private received: Buffer = Buffer.alloc(0);
  private waiting: { resolve(answer: Answer): void; reject(error: Error): void } | null = null;

  private constructor(private readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.on('error', (error) => this.waiting?.reject(error));
    socket.on('close', () => this.waiting?.reject(new Error('the server closed the connection')));
    socket.on('data', (chunk) => this.take(chunk));
  }

  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new Connection(socket)));
      socket.once('error', reject);
    });
  }

  send(request: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.write(request);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
    const headEnd = this.received.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const head = this.received.toString('latin1', 0, headEnd);
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    if (length === undefined) throw new Error(`an answer without content-length: ${head}`);
    const end = headEnd + 4 + Number(length);
    if (this.received.length < end) return;
    const answer = { status: Number(head.slice(9, 12)), body: this.received.toString('utf8', headEnd + 4, end) };
    this.received = this.received.subarray(end);
    const { waiting } = this;
    this.waiting = null;
    waiting?.resolve(answer);
  }
}

/** Sends every request once, over `connections` sockets; any answer but 202 ends the run. */
export async function sendAll(port: number, requests: readonly Buffer[], connections: number): Promise<void> {
  await sendEach(port, requests, connections, ({ status, body }) => {
    if (status !== 202) throw new Error(`POST was answered ${status}: ${body.slice(0, 300)}`);
  });
}

/** Sends every request once, over `connections` sockets. */
export async function sendEach(
  port: number,
  requests: readonly Buffer[],
  connections: number,
  take: (answer: Answer) => void,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    const connection = await Connection.open(port);
    try {
      for (let request = requests[next++]; request !== undefined; request = requests[next++])
        take(await connection.send(request));
    } finally {
      connection.close();
    }
  };
  await Promise.all(Array.from({ length: connections }, lane));
}
