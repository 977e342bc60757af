/** What was measured as Markdown, as it stands in docs/PERFORMANCE.md. */
import type { Machine } from './machine.js';
import type { Figure, Ratio, Spread, Target } from './measure.js';

export type Result = Ratio | Figure;

export function report(results: readonly Result[], machine: Machine): string {
  const ratios = results.filter((result) => result.kind === 'ratio');
  const figures = results.filter((result) => result.kind === 'figure');
  return [machineLines(machine), ratioTable(ratios), figureTable(figures)].filter((part) => part !== '').join('\n\n');
}

/** One sentence a missed target. */
export function misses(results: readonly Result[]): readonly string[] {
  return results.flatMap((result) => {
    if (result.kind === 'figure') {
      const { row, value, limit } = result;
      return limit === undefined || limit.met ? [] : [`MISSED: ${row}: ${value}, the target is ${limit.text}.`];
    }
    const { row, met, ratio, target } = result;
    if (met || target === null) return [];
    return [`MISSED: ${row}: ${ratio.median.toFixed(2)}, the target is ${targetText(target)}.`];
  });
}

function machineLines(machine: Machine): string {
  const { cores, cpu, memoryGiB, node, platform, postgres, settings, commit, date } = machine;
  return [
    `${cores} cores (${cpu}), ${memoryGiB} GiB, ${platform}; Node ${node}; PostgreSQL ${postgres} (${settings}), client and server on the same cores.`,
    `Commit ${commit}, ${date}; load average ${machine.loadBefore} before and ${machine.loadAfter} after.`,
  ].join('\n');
}

function ratioTable(ratios: readonly Ratio[]): string {
  if (ratios.length === 0) return '';
  return [
    'Units a second and ratios as minimum / median / maximum of the rounds.',
    '',
    '| Row | Unit | Ours | Held against | Its units | Ratio | Target | |',
    '|---|---|---|---|---|---|---|---|',
    ...ratios.map(({ row, unit, ours, limit, ratio, target, met }) => {
      const outcome = target === null ? '' : outcomeText(met);
      const cells = [row, unit, rates(ours), limit.name, rates(limit), ratioText(ratio), targetText(target), outcome];
      return `| ${cells.join(' | ')} |`;
    }),
  ].join('\n');
}

function figureTable(figures: readonly Figure[]): string {
  if (figures.length === 0) return '';
  const lines = figures.map(({ row, value, note, limit }) => {
    const target = limit === undefined ? '–' : `${limit.text}: ${outcomeText(limit.met)}`;
    return `| ${row} | ${value} | ${target} | ${note} |`;
  });
  return ['| Row | Figure | Target | |', '|---|---|---|---|', ...lines].join('\n');
}

const outcomeText = (met: boolean): string => (met ? 'met' : '**MISSED**');

function targetText(target: Target | null): string {
  if (target === null) return '–';
  return 'atMost' in target ? `time ≤ ${target.atMost} ×` : `≥ ${target.atLeast}`;
}

const ratioText = ({ min, median, max }: Spread): string =>
  `${min.toFixed(2)} / **${median.toFixed(2)}** / ${max.toFixed(2)}`;
const rates = ({ min, median, max }: Spread): string => `${rateText(min)} / ${rateText(median)} / ${rateText(max)}`;

/** Three digits, thousands and millions abbreviated. */
export function rateText(value: number): string {
  if (value >= 999_500) return `${(value / 1e6).toPrecision(3)} M`;
  if (value >= 9_995) return `${Math.round(value / 1e3)} K`;
  return value >= 999.5 ? `${(value / 1e3).toPrecision(3)} K` : value.toPrecision(3);
}
