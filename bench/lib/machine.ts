/** Where the figures were taken: without it they mean nothing. */
import { execFileSync } from 'node:child_process';
import { arch, cpus, loadavg, platform, totalmem } from 'node:os';
import pg from 'pg';

export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
  readonly postgres: string;
  /** Those that decide what a commit costs. */
  readonly settings: string;
  readonly commit: string;
  /** Of UTC. */
  readonly date: string;
  readonly loadBefore: string;
  readonly loadAfter: string;
}

export const loadText = (): string => (loadavg()[0] ?? 0).toFixed(1);

const settingNames = ['fsync', 'synchronous_commit', 'shared_buffers', 'max_wal_size'];

/** @param serverUrl of any database of the server */
export async function describeMachine(serverUrl: string, loadBefore: string): Promise<Machine> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  const { rows } = await client.query<{ name: string; value: string }>(
    `SELECT name, current_setting(name) AS value FROM unnest($1::text[]) AS name`,
    [['server_version', ...settingNames]],
  );
  await client.end();
  const setting = new Map(rows.map(({ name, value }) => [name, value]));
  return {
    cores: cpus().length,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${platform()} ${arch()}`,
    node: process.versions.node,
    postgres: setting.get('server_version') ?? 'unknown',
    settings: settingNames.map((name) => `${name} ${setting.get(name) ?? 'unknown'}`).join(', '),
    commit: commitOf(),
    date: new Date().toISOString().slice(0, 10),
    loadBefore,
    loadAfter: loadText(),
  };
}

function commitOf(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : ' with uncommitted changes'}`;
  } catch {
    return 'unknown (no git repository)';
  }
}
