/** The migrations this program was written for; a test holds the list against prisma/migrations. */
export const requiredMigrations: readonly string[] = [
  '20261121000000_init',
  '20261121150000_correction',
  '20261121160000_whole_numbers',
  '20261121170000_metering',
  '20261121180000_backfills_and_dead_letters',
  '20261121190000_event_schemas',
  '20261121200000_tag_definitions',
  '20261121210000_price_models',
  '20261121220000_prices_over_time',
  '20261121230000_credits',
  '20261121231000_exchange_rates',
  '20261121232000_price_rollouts',
  '20261121233000_price_lookup_fallback',
  '20261122120000_audit',
  '20261122129000_audited_tables',
];
