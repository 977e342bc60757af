-- Which tables are audited: a line a table (ADR-017). A table that comes later takes the same line in its own migration; so does one
-- whose columns change. The first argument is the table, the second whose customer_id it is where it has none of its own
-- ('deployment': nobody's), the third its columns with personal data.

SELECT audit_table('audit_layouts', 'deployment');
SELECT audit_table('audit_keys', 'deployment');

-- Reference
SELECT audit_table('customers');
SELECT audit_table('customer_versions', NULL, '{buyer,name}');
SELECT audit_table('meters', 'deployment');
SELECT audit_table('price_books', 'deployment');
SELECT audit_table('price_book_corrections', 'deployment');
SELECT audit_table('price_book_assignments');
SELECT audit_table('price_overrides');
SELECT audit_table('price_rollouts', 'deployment');
SELECT audit_table('price_rollout_stages', 'deployment');
SELECT audit_table('exchange_rates', 'deployment');
SELECT audit_table('legal_entities', 'deployment');
SELECT audit_table('legal_entity_versions', 'deployment');
SELECT audit_table('number_prefixes', 'deployment');

-- Rating and documents
SELECT audit_table('rated_charges');
SELECT audit_table('period_ratings');
SELECT audit_table('invoices', NULL, '{buyer}');
SELECT audit_table('invoice_line_items', 'invoices');
SELECT audit_table('invoice_transitions', 'invoices');
SELECT audit_table('invoice_tax_lines', 'invoices');
SELECT audit_table('invoice_renderings', 'invoices');
SELECT audit_table('tax_reports', 'invoices');
SELECT audit_table('invoice_drafts');
SELECT audit_table('invoice_draft_transitions', 'invoice_drafts');
SELECT audit_table('invoice_decisions', 'invoice_drafts');

-- Settlement
SELECT audit_table('payments');
SELECT audit_table('payment_reversals', 'payments');
SELECT audit_table('credit_notes', NULL, '{buyer}');
SELECT audit_table('credit_note_lines', 'credit_notes');
SELECT audit_table('credit_note_voids', 'credit_notes');
SELECT audit_table('refunds');
SELECT audit_table('write_offs', 'invoices');
SELECT audit_table('allocations');

-- Credits
SELECT audit_table('credit_grants');
SELECT audit_table('credit_draws', 'invoices');
SELECT audit_table('credit_expiries', 'credit_grants');
SELECT audit_table('credit_grant_voids', 'credit_grants');

-- Journal
SELECT audit_table('ledger_accounts', 'deployment');
SELECT audit_table('journal_entries');
SELECT audit_table('postings', 'journal_entries');
SELECT audit_table('accounting_month_closings', 'deployment');
SELECT audit_table('ledger_account_mappings', 'deployment');

-- Corrections and decisions
SELECT audit_table('event_adjustments');
SELECT audit_table('backfills', 'deployment');
SELECT audit_table('backfill_decisions', 'deployment');
SELECT audit_table('period_closes', 'deployment');
SELECT audit_table('period_close_cancellations', 'deployment');
SELECT audit_table('re_ratings', 'deployment');
SELECT audit_table('re_rating_targets', 'deployment');
SELECT audit_table('re_rating_comparisons');
SELECT audit_table('re_rating_decisions', 'deployment');
SELECT audit_table('re_rating_outcomes');
SELECT audit_table('findings');
SELECT audit_table('finding_resolutions', 'findings');

-- Facts of the usage ledger, in blocks
SELECT audit_ledger_table('telemetry_events');
SELECT audit_ledger_table('event_adjustments');
SELECT audit_ledger_table('backfill_decisions');
