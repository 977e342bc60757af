/** What became of the rows of one import, and how far it has come without a gap. */
import { messageOf } from '../context.js';
import type { RowProblem } from './mapping.js';
import type { Batch, BatchAnswer } from './sender.js';
import type { ImportState, StateFile } from './state.js';

export interface ImportCounts {
  /** Rows before this one were left out or sent by an earlier run. */
  readonly firstRow: number;
  readonly rows: number;
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: number;
  /** The first rejected rows, in order. */
  readonly rejections: readonly RowProblem[];
}

export interface TrackerOptions {
  readonly firstRow: number;
  readonly identity: Omit<ImportState, 'acknowledgedRow' | 'finished'>;
  readonly stateFile: StateFile | null;
  readonly onNotice: (text: string) => void;
}

const rejectionsKept = 20;

export class Tracker {
  /** Batches begun and not yet behind the acknowledged row, in the order of their rows. */
  private readonly begun: { readonly throughRow: number; answered: boolean }[] = [];
  private readonly rejections: RowProblem[] = [];
  private accepted = 0;
  private duplicates = 0;
  private rejected = 0;
  private acknowledgedRow: number;
  /** One write at a time; null once a write has failed. */
  private writing: Promise<void> | null = Promise.resolve();

  constructor(private readonly options: TrackerOptions) {
    this.acknowledgedRow = options.firstRow - 1;
  }

  get firstRow(): number {
    return this.options.firstRow;
  }
  get rows(): number {
    return this.accepted + this.duplicates + this.rejected;
  }

  /** A row that cannot be sent. */
  reject(problem: RowProblem): void {
    this.rejected += 1;
    this.rejections.push(problem);
    this.rejections.sort((a, b) => a.row - b.row).splice(rejectionsKept);
  }

  /** Batches are begun in the order of their rows; the function takes the answer to this one. */
  begin(batch: Batch): (answer: BatchAnswer) => Promise<void> {
    const entry = { throughRow: batch.throughRow, answered: false };
    this.begun.push(entry);
    return async (answer) => {
      this.count(batch, answer);
      entry.answered = true;
      const before = this.acknowledgedRow;
      while (this.begun[0]?.answered === true) this.acknowledgedRow = this.begun.shift()?.throughRow ?? before;
      if (this.acknowledgedRow > before) await this.save(false);
    };
  }

  async finish(): Promise<void> {
    await this.save(true);
  }

  counts(): ImportCounts {
    const { firstRow, rows, accepted, duplicates, rejected } = this;
    return { firstRow, rows, accepted, duplicates, rejected, rejections: [...this.rejections] };
  }

  private count(batch: Batch, answer: BatchAnswer): void {
    this.accepted += answer.accepted;
    this.duplicates += answer.duplicates;
    const refused = answer.results.filter(({ status }) => status === 'rejected');
    for (const { index, code, detail } of refused) {
      this.reject({ row: batch.rows[Number(index)] ?? 0, code: String(code), detail: String(detail ?? '') });
    }
    // The count is the API's word, also if it lists fewer of them.
    this.rejected += answer.rejected - refused.length;
  }

  private async save(finished: boolean): Promise<void> {
    const { identity, stateFile, onNotice } = this.options;
    if (stateFile === null || this.writing === null) return;
    const state = { ...identity, acknowledgedRow: this.acknowledgedRow, finished };
    this.writing = this.writing.then(() => stateFile.save(state));
    try {
      await this.writing;
    } catch (error) {
      // Ids are stable, so an import without state is safe; it only cannot continue in the middle.
      if (this.writing !== null) onNotice(`the state cannot be kept in ${stateFile.path}: ${messageOf(error)}`);
      this.writing = null;
    }
  }
}
