#!/usr/bin/env node
import { existsSync } from 'node:fs';

const entry = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(entry)) {
  await import(entry.href);
} else {
  process.stderr.write(
    'reckoner is not built yet: run `npm install` and `npm run build` in its folder, then try again.\n',
  );
  process.exitCode = 1;
}
