/** `npm run check`: what to run before every commit. Types, lint, format, the unit tests and the replay of histories. */
import { ensurePrismaClient } from './lib/build.mjs';
import { checkStatically, conclude, runJest } from './lib/checks.mjs';
import { main } from './lib/console.mjs';
import { ensureInstalled } from './lib/install.mjs';

main(async () => {
  await ensureInstalled();
  await ensurePrismaClient();
  const statically = await checkStatically();
  const unit = await runJest(['--selectProjects', 'unit', 'replay']);
  conclude([statically, unit]);
});
