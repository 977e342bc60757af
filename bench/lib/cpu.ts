/** Processor time of processes, as Linux counts it: of a process, its children and those of them that have ended. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Figure, Side } from './measure.js';

/** USER_HZ, which is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

interface ProcessTimes {
  readonly pid: number;
  readonly parent: number;
  readonly ticks: number;
}

/** Seconds by name, of the process with this pid and all below it but those that have a name of their own. */
export function cpuSeconds<Name extends string>(pids: Readonly<Record<Name, number>>): Record<Name, number> {
  const all = processes();
  const names = Object.keys(pids) as Name[];
  const named = new Set<number>(Object.values(pids));
  return Object.fromEntries(
    names.map((name) => [name, ticksBelow(pids[name], { all, named }) / ticksPerSecond]),
  ) as Record<Name, number>;
}

/** Processor time of a unit of this side's work: unlike its rate it does not hang on what else the machine does. */
export async function cpuFigure<Name extends string>(
  row: string,
  { name, prepare }: Side,
  pids: Readonly<Record<Name, number>>,
): Promise<Figure> {
  const work = await prepare();
  const before = cpuSeconds(pids);
  const units = await work();
  const after = cpuSeconds(pids);
  const names = Object.keys(pids) as Name[];
  const micros = (part: Name): number => ((after[part] - before[part]) * 1e6) / units;
  const total = names.reduce((sum, part) => sum + micros(part), 0);
  return {
    kind: 'figure',
    row: `${row}: processor time`,
    value: `${total.toPrecision(3)} µs`,
    note: `${name}: ${names.map((part) => `${part} ${micros(part).toPrecision(3)} µs`).join(', ')}`,
  };
}

function ticksBelow(
  pid: number,
  within: { readonly all: readonly ProcessTimes[]; readonly named: ReadonlySet<number> },
): number {
  const { all, named } = within;
  const own = all.find((process) => process.pid === pid)?.ticks ?? 0;
  const children = all.filter((process) => process.parent === pid && !named.has(process.pid));
  return children.reduce((sum, child) => sum + ticksBelow(child.pid, within), own);
}

function processes(): readonly ProcessTimes[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const stat = readStat(name);
      if (stat === null) return [];
      // The command's name may hold spaces and parentheses; the fields after it are numbers.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const [parent = '0', times] = [fields[1], fields.slice(11, 15)];
      return [
        { pid: Number(name), parent: Number(parent), ticks: times.reduce((sum, ticks) => sum + Number(ticks), 0) },
      ];
    });
}

/** null: it has ended meanwhile. */
function readStat(pid: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
}
