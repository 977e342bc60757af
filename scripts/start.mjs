/**
 * `npm start`: the whole program on this machine, from a fresh clone to a finished invoice, then serving until Ctrl-C.
 *
 *     npm start -- --no-example     without the example invoice
 *     npm start -- --fresh          forgets the data of earlier runs first
 *
 * Settings: .env.example. What it starts is Postgres, Temporal, API and worker; their logs are in .data/logs.
 */
import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBuilt } from './lib/build.mjs';
import { bold, cyan, dim, done, main, red, say, seconds, Stop } from './lib/console.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { root } from './lib/paths.mjs';
import { portFrom, requireFree } from './lib/ports.mjs';

const usage = 'Usage: npm start -- [--fresh] [--no-example]';

main(async () => {
  const options = readOptions();
  if (existsSync(join(root, '.env'))) process.loadEnvFile(join(root, '.env'));
  const begun = Date.now();
  const dataDir = resolve(root, process.env.RECKONER_DATA_DIR || '.data');
  say(bold('Reckoner'));
  await ensureInstalled();
  await ensureBuilt();
  // Imported only now: these need the installed packages when they work.
  const { clearLeftOvers, createStack, removeStackData, requireTemporal, urlToExport } =
    await import('./lib/stack.mjs');
  await clearLeftOvers(dataDir);
  if (options.fresh) {
    removeStackData(dataDir);
    done('data of earlier runs forgotten');
  }
  const ports = await checkPorts();
  const { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace } = process.env;
  if (address) await requireTemporal(address, namespace || 'default');

  const ending = endOnce();
  const stack = await createStack({
    dataDir,
    ports,
    env: givenSettings(),
    onStarted: (name) => done(described[name](stack)),
    onDeath: (death) => ending.died(death),
  });
  ending.watch(stack);
  try {
    await stack.startAll();
    if (options.example) await showExample(stack).catch((error) => ending.begun() || exampleFailed(error));
  } catch (error) {
    // Ctrl-C while starting makes the step under way fail: that is not news.
    if (ending.begun()) return;
    await ending.quietly(stack);
    throw error;
  }
  showAddresses(stack, { begun, toExport: urlToExport(stack.apiUrl) });
});

const described = {
  postgres: () => 'Postgres',
  temporal: (stack) => `Temporal at ${stack.temporalAddress}`,
  api: (stack) => `API at ${stack.apiUrl}`,
  worker: () => 'worker, with the relay',
};

function readOptions() {
  try {
    const { values } = parseArgs({
      options: { fresh: { type: 'boolean' }, example: { type: 'boolean', default: true }, help: { type: 'boolean' } },
      allowNegative: true,
    });
    if (values.help) {
      say(usage);
      process.exit(0);
    }
    // `npm start --fresh`, without the `--` between, gives its options to npm, which hands them on like this.
    const { npm_config_fresh: fresh, npm_config_example: example } = process.env;
    return { fresh: values.fresh || fresh === 'true', example: values.example && example === undefined };
  } catch (error) {
    throw new Stop(`${error.message}\n${usage}`);
  }
}

/** Settings from the environment and `.env`; an empty one counts as not given. */
function givenSettings() {
  return Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ''));
}

/** The ports of what will be started here; all are looked at before anything starts. */
async function checkPorts() {
  const { env } = process;
  const ports = {
    postgres: portFrom(env, 'RECKONER_PG_PORT', 54_329),
    temporal: portFrom(env, 'RECKONER_TEMPORAL_PORT', 7233),
    temporalUi: portFrom(env, 'RECKONER_TEMPORAL_UI_PORT', 8233),
    api: portFrom(env, 'RECKONER_HTTP_PORT', 8080),
  };
  await requireFree([
    ...(env.DATABASE_URL ? [] : [{ port: ports.postgres, what: 'Postgres', variable: 'RECKONER_PG_PORT' }]),
    ...(env.TEMPORAL_ADDRESS
      ? []
      : [
          { port: ports.temporal, what: 'Temporal', variable: 'RECKONER_TEMPORAL_PORT' },
          { port: ports.temporalUi, what: 'the Temporal UI', variable: 'RECKONER_TEMPORAL_UI_PORT' },
        ]),
    { port: ports.api, what: 'the API', variable: 'RECKONER_HTTP_PORT' },
  ]);
  return ports;
}

/** The end, whatever brings it: a signal, or a part that died. It happens once; a second signal does not wait. */
function endOnce() {
  let stack;
  let ended = null;
  const end = (code) => {
    ended ??= stack.stop().then(
      () => process.exit(code),
      (error) => {
        process.stderr.write(`${error?.stack ?? error}\n`);
        process.exit(1);
      },
    );
  };
  return {
    begun: () => ended !== null,
    watch(started) {
      stack = started;
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
        process.on(signal, () => {
          if (ended === null) say(dim('\nStopping …'));
          end(0);
        });
      }
    },
    died({ name, how, tail }) {
      if (ended !== null) return;
      process.stderr.write(
        `${red('✗')} ${name} has ended unexpectedly (${how}). Its last words (${relative(root, stack.logFile(name))}):\n${tail}\n`,
      );
      end(1);
    },
    async quietly(started) {
      ended = Promise.resolve();
      await started.stop();
    },
  };
}

/** The data may be others than the example expects (an operator voided its invoice): that is no reason not to serve. */
function exampleFailed(error) {
  say(`${red('✗')} the example did not come to its end: ${error.message.slice(0, 300)}`);
  say(dim('  Everything keeps serving. npm start -- --fresh begins anew; --no-example leaves the example out.'));
}

async function showExample(stack) {
  const { firstInvoice, lateCorrection, reconciled, verified } = await import('../examples/first-invoice/run.mjs');
  const { printCorrection, printInvoice, printReconciliation, printVerification } =
    await import('./lib/print-invoice.mjs');
  const { invoice, charges, sent } = await firstInvoice(stack.apiUrl);
  say(
    `\n${bold('Example')}: ${sent.accepted + sent.duplicates} events sent, ${sent.accepted} accepted, ${sent.duplicates} duplicates`,
  );
  printInvoice(invoice, charges);
  say('\nA call of January arrives late …');
  const correction = await lateCorrection(stack.apiUrl, invoice);
  if (correction === null) say(dim(`… and is part of ${invoice.number} already.`));
  else printCorrection(correction, invoice);
  printReconciliation(await reconciled(stack.apiUrl));
  for (const document of [invoice, correction].filter(Boolean))
    printVerification(await verified(stack.apiUrl, document));
  const workflow = encodeURIComponent(`billing-period/${invoice.customer_id}/${invoice.period.from.slice(0, 10)}`);
  say(`  PDF          ${cyan(`${stack.apiUrl}/invoices/${invoice.invoice_id}/pdf`)}`);
  if (correction !== null) say(`  Correction   ${cyan(`${stack.apiUrl}/invoices/${correction.invoice_id}/pdf`)}`);
  if (stack.uiUrl !== null) {
    say(`  Workflow     ${cyan(`${stack.uiUrl}/namespaces/${stack.namespace}/workflows/${workflow}`)}`);
  }
}

function showAddresses(stack, { begun, toExport }) {
  say(`\n  API docs     ${cyan(`${stack.apiUrl}/docs`)}`);
  if (stack.uiUrl !== null) say(`  Temporal UI  ${cyan(stack.uiUrl)}`);
  if (toExport !== null) say(`\n  The command line and the examples look elsewhere by themselves: ${cyan(toExport)}`);
  say(
    `\nReady after ${seconds(begun)}. ${dim(`Logs: ${relative(root, join(stack.dataDir, 'logs'))}. Ctrl-C stops everything.`)}`,
  );
}
