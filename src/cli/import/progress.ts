/** A progress bar on standard error, for a person who watches. */
import { SingleBar } from 'cli-progress';
import type { ImportProgress } from './import-file.js';

export interface ProgressBar {
  update(progress: ImportProgress): void;
  /** Prints something without the bar running through it. */
  above(print: () => void): void;
  stop(): void;
}

/** By bytes: how many rows a file has is known only at its end. */
export function progressBar(totalBytes: number, shown: boolean): ProgressBar {
  if (!shown) return { update: () => undefined, above: (print) => print(), stop: () => undefined };
  const bar = new SingleBar({
    format: '{bar} {percentage} % | {rows} rows | {duration_formatted}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    clearOnComplete: false,
  });
  bar.start(totalBytes, 0, { rows: 0 });
  return {
    update: ({ bytesRead, rows }) => bar.update(bytesRead, { rows }),
    above: (print) => {
      process.stderr.write('\r\u001B[K');
      print();
    },
    stop: () => bar.stop(),
  };
}
