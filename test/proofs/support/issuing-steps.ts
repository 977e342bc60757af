/** The steps of issuing by name, so that a proof can stop the world right after each of them. */
import type { GateTransaction, Storage } from '../../../src/storage/types.js';

type GateMethod = {
  [K in keyof GateTransaction]: GateTransaction[K] extends (...args: never[]) => unknown ? K : never;
}[keyof GateTransaction];

/** In their order. Of those that are written in one statement at the end, `tablesOfIssuing` are the steps on the server. */
export const issuingSteps = {
  'versions are held': 'holdVersions',
  'windows are brought to the cutoff': 'bringWindowsToCutoff',
  'usage is read': 'segmentUsage',
  'charges are stored': 'storeCharges',
  'credits are locked': 'creditGrants',
  'the legal entity is read': 'legalEntity',
  'the number is drawn': 'drawNumber',
  'the invoice is put down': 'insertInvoice',
  'the entry is put down': 'postEntry',
  'the rating is put down': 'insertRating',
  'the outcome is put down': 'recordOutcome',
} as const satisfies Readonly<Record<string, GateMethod>>;

export type IssuingStep = keyof typeof issuingSteps | 'the transaction has committed';

export const allSteps = [...Object.keys(issuingSteps), 'the transaction has committed'] as readonly IssuingStep[];

/** Written by issuing, in this order of statements; a trigger there is a step on the server's side. */
export const tablesOfIssuing = [
  'rated_charges',
  'number_sequences',
  'invoices',
  'invoice_line_items',
  'invoice_transitions',
  'journal_entries',
  'postings',
  'period_ratings',
  'invoicing_outcomes',
] as const;

/** The same storage, whose gates call `hit` right after that step. */
export function hittingAt(storage: Storage, step: IssuingStep, hit: () => Promise<void>): Storage {
  const method = step === 'the transaction has committed' ? null : issuingSteps[step];
  const atGates: Storage['billing']['atGates'] = async (periods, work, mayGoOn) => {
    const hitting: typeof work = (gate, period) => work(around(gate, method, hit), period);
    const results = await storage.billing.atGates(periods, hitting, mayGoOn);
    if (method === null) await hit();
    return results;
  };
  return { ...storage, billing: { ...storage.billing, atGates } };
}

function around(gate: GateTransaction, method: GateMethod | null, hit: () => Promise<void>): GateTransaction {
  return new Proxy(gate, {
    get: (target, name): unknown => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return async (...parameters: readonly unknown[]): Promise<unknown> => {
        const answer: unknown = await (Reflect.apply(member, target, parameters) as unknown);
        if (name === method) await hit();
        return answer;
      };
    },
  });
}
