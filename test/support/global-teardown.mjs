/** Jest's globalTeardown: stops the server that global-setup.mjs started and removes its folder. */
import { rm } from 'node:fs/promises';
import { removeData, stopPostgres } from '../../scripts/lib/postgres.mjs';

export default async function stopTestPostgres() {
  const server = globalThis.reckonerTestPostgres;
  if (server === undefined) return;
  await stopPostgres(server.part);
  removeData(server.dataFolder);
  await rm(server.folder, { recursive: true, force: true });
}
