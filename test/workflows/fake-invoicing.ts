/** Invoicing requests in memory, with the chunk activity of `invoicing` on them. */
import type { IssueChunkInput, IssueChunkOutput } from '../../src/contracts/activities.js';

export interface FakeRequest {
  readonly customerId: string;
  readonly outcome: 'issued' | 'held' | 'skipped';
}

export class FakeInvoicing {
  pending: FakeRequest[] = [];
  chunks: number[] = [];
  issued = 0;
  /** Called before a chunk answers. */
  meanwhile: () => Promise<void> = () => Promise.resolve();

  get activities() {
    return { issueChunk: (input: IssueChunkInput) => this.issueChunk(input) };
  }

  private async issueChunk({ limit }: IssueChunkInput): Promise<IssueChunkOutput> {
    const chunk = this.pending.splice(0, limit);
    this.chunks.push(chunk.length);
    const count = (outcome: FakeRequest['outcome']): number =>
      chunk.filter((request) => request.outcome === outcome).length;
    this.issued += count('issued');
    await this.meanwhile();
    return {
      issued: count('issued'),
      held: count('held'),
      skipped: count('skipped'),
      alreadyInvoiced: 0,
      more: chunk.length === limit,
      lastInvoiceNumber: this.issued === 0 ? null : `INV-${String(this.issued).padStart(6, '0')}`,
    };
  }
}
