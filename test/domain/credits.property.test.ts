/**
 * Laws of credits, over random histories of grants, invoices, corrections, voids and expiries. The oracle counts single cents:
 * each chain is a pile of cents, each with the grant that it came from.
 */
import fc from 'fast-check';
import { compareGrants, isEligible } from '../../src/domain/credits/eligible.js';
import { expire } from '../../src/domain/credits/expire.js';
import type { CreditDraw, CreditTerms, DrawableGrant } from '../../src/domain/credits/grant.js';
import { creditsOf, settleCredits } from '../../src/domain/credits/settle.js';
import type { SettledDocument } from '../../src/domain/credits/settle.js';
import { decimal } from '../../src/domain/decimal.js';
import { creditVoidEntry, expiryEntry, grantEntry } from '../../src/domain/ledger/credit-entries.js';
import { invoiceEntry } from '../../src/domain/ledger/invoice-entry.js';
import type { PostedInvoice } from '../../src/domain/ledger/invoice-entry.js';
import type { JournalEntry } from '../../src/domain/ledger/journal.js';
import { voidEntry } from '../../src/domain/ledger/void-entry.js';
import { creditProblem } from '../../src/domain/reconciliation/amounts.js';
import type { DecimalString, Instant, LocalDate } from '../../src/domain/values.js';

const months = ['2024-01', '2024-02', '2024-03', '2024-04', '2024-05'] as const;
const startOf = (month: number): Instant => `${months[month] ?? ''}-01T00:00:00.000000Z` as Instant;
const postingDate = '2024-06-01' as LocalDate;
const money = (cents: number): DecimalString => (cents / 100).toFixed(2) as DecimalString;
const cents = (amount: DecimalString): number => decimal(amount).times(100).toNumber();

interface Grant {
  readonly amount: number;
  readonly priority: number;
  readonly promotional: boolean;
  readonly from: number;
  readonly to: number | null;
  readonly cap: number;
}
const grants = fc.array(
  fc.record<Grant>({
    amount: fc.integer({ min: 1, max: 60 }),
    priority: fc.constantFrom(10, 50),
    promotional: fc.boolean(),
    from: fc.integer({ min: 0, max: 2 }),
    to: fc.option(fc.integer({ min: 3, max: 4 })),
    cap: fc.integer({ min: 0, max: 30 }),
  }),
  { maxLength: 5 },
);
type Step =
  | { readonly kind: 'bill'; readonly month: number; readonly delta: number }
  | { readonly kind: 'void'; readonly month: number }
  | { readonly kind: 'take back' | 'expire'; readonly grant: number };
const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('bill' as const),
        month: fc.integer({ min: 1, max: 4 }),
        delta: fc.integer({ min: -60, max: 90 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('void' as const), month: fc.integer({ min: 1, max: 4 }) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constantFrom('take back' as const, 'expire' as const),
        grant: fc.integer({ min: 0, max: 4 }),
      }),
    },
  ),
  { maxLength: 25 },
);

interface Held {
  readonly terms: CreditTerms;
  drawn: number;
  expired: number;
  takenBack: number;
  isVoid: boolean;
  rolledOver: number;
}
interface Chain {
  documents: (SettledDocument & { readonly posted: PostedInvoice })[];
  /** Of the oracle: the grants of the cents that it has drawn, the last one at the end. */
  pile: string[];
  total: number;
}

class World {
  readonly held = new Map<string, Held>();
  readonly chains = new Map<number, Chain>();
  readonly entries: JournalEntry[] = [];
  private documents = 0;

  grant(terms: CreditTerms, post = true): void {
    this.held.set(terms.grantId, { terms, drawn: 0, expired: 0, takenBack: 0, isVoid: false, rolledOver: 0 });
    if (post) this.entries.push(grantEntry(terms, postingDate));
  }

  balanceOf({ terms, drawn, expired, takenBack }: Held): number {
    return cents(terms.amount) - drawn - expired - takenBack;
  }

  drawable(): readonly DrawableGrant[] {
    return [...this.held.values()].map((held) => ({
      ...held.terms,
      balance: money(this.balanceOf(held)),
      isVoid: held.isVoid,
    }));
  }

  bill(month: number, delta: number): void {
    const chain = this.chains.get(month) ?? { documents: [], pile: [], total: 0 };
    this.chains.set(month, chain);
    const document = { subtotal: money(delta), currency: 'USD', periodEnd: startOf(month) };
    const expected = this.oracle(chain, delta, document);
    const facts = { grants: this.drawable(), earlier: chain.documents };
    const creditDraws = settleCredits(facts, document);
    expect(cents(creditsOf(creditDraws))).toBe(expected.credits);
    expect(byGrant(creditDraws)).toEqual(expected.byGrant);
    // The order in which grants are given does not matter.
    expect(settleCredits({ ...facts, grants: [...facts.grants].reverse() }, document)).toEqual(creditDraws);
    // No document goes against its own lines.
    const total = delta - expected.credits;
    expect(total === 0 || Math.sign(total) === Math.sign(delta)).toBe(true);
    this.issue(chain, { ...document, creditDraws });
  }

  private issue(chain: Chain, made: SettledDocument & { readonly periodEnd: Instant }): void {
    const credits = creditsOf(made.creditDraws);
    const total = money(cents(made.subtotal) - cents(credits));
    const invoiceId = `i${(this.documents += 1)}`;
    const lines = [
      { lineItemId: `${invoiceId}/l`, amount: made.subtotal, currency: 'USD' },
    ] as unknown as PostedInvoice['lines'];
    const posted: PostedInvoice = {
      ...{ invoiceId, number: invoiceId, type: 'invoice', customerId: 'c', currency: 'USD' },
      ...{ periodStart: startOf(0), periodEnd: made.periodEnd, credits, tax: money(0), total, lines },
    };
    const summed = (each: SettledDocument) => ({
      ...{ ...posted, ...each, tax: money(0) },
    });
    expect(creditProblem(summed(made), chain.documents.map(summed))).toBeNull();
    chain.documents.push({ ...made, posted });
    this.post(invoiceEntry(posted, postingDate));
    for (const { grantId, amount } of made.creditDraws) this.draw(grantId, cents(amount));
  }

  private draw(grantId: string, amount: number): void {
    const held = this.held.get(grantId);
    if (held !== undefined) held.drawn += amount;
  }

  private post(entry: JournalEntry | null): void {
    if (entry !== null) this.entries.push(entry);
  }

  /** Cent by cent: what is above the lines comes off the pile, what is added is drawn while there is a grant. */
  private oracle(
    chain: Chain,
    delta: number,
    document: { readonly currency: string; readonly periodEnd: Instant },
  ): { readonly credits: number; readonly byGrant: Readonly<Record<string, number>> } {
    chain.total += delta;
    const limit = Math.max(chain.total, 0);
    const moved: Record<string, number> = {};
    let credits = 0;
    const move = (grantId: string, by: 1 | -1): void => {
      moved[grantId] = (moved[grantId] ?? 0) + by;
      credits += by;
    };
    while (chain.pile.length > limit) move(chain.pile.pop() ?? '', -1);
    const left = new Map(this.drawable().map((each) => [each.grantId, cents(each.balance)]));
    const inOrder = this.drawable()
      .filter((each) => isEligible(each, document))
      .sort(compareGrants);
    for (let added = 0; added < delta && chain.pile.length < limit; added += 1) {
      const next = inOrder.find(({ grantId }) => (left.get(grantId) ?? 0) > 0);
      if (next === undefined) break;
      left.set(next.grantId, (left.get(next.grantId) ?? 0) - 1);
      chain.pile.push(next.grantId);
      move(next.grantId, 1);
    }
    return { credits, byGrant: moved };
  }

  voidChain(month: number): void {
    const chain = this.chains.get(month);
    if (chain === undefined) return;
    for (const { creditDraws, posted } of chain.documents) {
      for (const { grantId, amount } of creditDraws) this.draw(grantId, -cents(amount));
      this.post(voidEntry(posted, postingDate, invoiceEntry(posted, postingDate)));
    }
    this.chains.delete(month);
  }

  takeBack(held: Held): void {
    const amount = this.balanceOf(held);
    held.isVoid = true;
    held.takenBack += amount;
    this.post(creditVoidEntry(held.terms, { sequence: this.entries.length, amount: money(amount) }, postingDate));
  }

  expire(held: Held): void {
    const remainder = this.balanceOf(held);
    if (held.terms.expiresAt === null || remainder === 0) return;
    const expiry = expire(held.terms, { remainder: money(remainder), rolledOverBefore: money(held.rolledOver) });
    const rolled = expiry.rolledOver;
    held.expired += remainder;
    const rolledOver = rolled === null ? 0 : cents(rolled.amount);
    held.rolledOver += rolledOver;
    if (rolled !== null) {
      const grantId = `${held.terms.grantId}/${this.entries.length}`;
      this.grant({ ...rolled, grantId, grantedBy: 'law' }, false);
    }
    const posted = { sequence: this.entries.length, amount: money(remainder), rolledOver: money(rolledOver) };
    this.entries.push(expiryEntry(held.terms, posted, postingDate));
  }

  check(): void {
    let balances = 0;
    for (const held of this.held.values()) {
      const balance = this.balanceOf(held);
      balances += balance;
      expect(balance).toBeGreaterThanOrEqual(0);
      expect(held.drawn).toBeGreaterThanOrEqual(0);
      expect(held.rolledOver).toBeLessThanOrEqual(cents(held.terms.rollOver?.cap ?? money(0)));
      const onPiles = [...this.chains.values()].flatMap(({ pile }) => pile);
      expect(held.drawn).toBe(onPiles.filter((grantId) => grantId === held.terms.grantId).length);
      // Granted = drawn + left + expired + taken back.
      expect(cents(held.terms.amount)).toBe(held.drawn + balance + held.expired + held.takenBack);
    }
    for (const { documents, total } of this.chains.values()) {
      const credits = documents.reduce((sum, { creditDraws }) => sum + cents(creditsOf(creditDraws)), 0);
      expect(credits).toBeGreaterThanOrEqual(0);
      expect(credits).toBeLessThanOrEqual(Math.max(total, 0));
    }
    const owed = this.entries
      .flatMap(({ postings }) => postings)
      .filter(({ account }) => account === 'customer_credit')
      .reduce((sum, { amount }) => sum - cents(amount), 0);
    expect(owed).toBe(balances);
  }
}

function byGrant(draws: readonly CreditDraw[]): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const { grantId, amount } of draws) sums[grantId] = (sums[grantId] ?? 0) + cents(amount);
  return sums;
}

function termsOf({ amount, priority, promotional, from, to, cap }: Grant, index: number): CreditTerms {
  const rollOver = to === null || cap === 0 ? null : { cap: money(cap), validity: 'P40D' };
  return {
    ...{ grantId: `g${index}`, customerId: 'c', currency: 'USD', type: promotional ? 'promotional' : 'prepaid' },
    ...{ amount: money(amount), priority, effectiveFrom: startOf(from), rollOver },
    expiresAt: to === null ? null : startOf(to),
    ...{ name: `g${index}`, reason: null, rolledOverFrom: null, grantedBy: 'law' },
  };
}

function carryOut(world: World, step: Step): void {
  if (step.kind === 'bill') return world.bill(step.month, step.delta);
  if (step.kind === 'void') return world.voidChain(step.month);
  const held = world.held.get(`g${step.grant}`);
  if (held === undefined) return;
  if (step.kind === 'expire') return world.expire(held);
  world.takeBack(held);
}

test('whatever happens: never below zero, nothing is lost, what was drawn last comes back first', () => {
  fc.assert(
    fc.property(grants, steps, (given, history) => {
      const world = new World();
      for (const [index, each] of given.entries()) world.grant(termsOf(each, index));
      for (const step of history) {
        carryOut(world, step);
        world.check();
      }
    }),
    { numRuns: 300 },
  );
});

test('up and down again gives back exactly what was drawn; in one step or in several, the same is drawn', () => {
  const parts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(grants, parts, (given, added) => {
      const [once, often] = [new World(), new World()];
      for (const [index, each] of given.entries()) for (const world of [once, often]) world.grant(termsOf(each, index));
      const before = often.drawable();
      once.bill(
        3,
        added.reduce((sum, each) => sum + each, 0),
      );
      for (const each of added) often.bill(3, each);
      expect(often.drawable()).toEqual(once.drawable());
      for (const each of [...added].reverse()) often.bill(3, -each);
      expect(often.drawable()).toEqual(before);
    }),
    { numRuns: 200 },
  );
});
