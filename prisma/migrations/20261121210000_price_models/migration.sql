-- What an invoice comes to at least (RULES 15); null: nothing. Text like all prices: its digits are kept as they were given.
ALTER TABLE price_books ADD COLUMN minimum_commitment text CHECK (minimum_commitment ~ '^[0-9]+(\.[0-9]+)?$');
