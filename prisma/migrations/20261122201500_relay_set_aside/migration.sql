-- Customers whose facts the relay cannot plan, because a billing period of theirs cannot be created (control rows). No foreign key to
-- customers: an unknown customer is one of the causes. Facts at or below from_position are planned, later ones are not.
CREATE TABLE relay_set_aside (
  partition_group  text NOT NULL,
  customer_id      text NOT NULL,
  from_position    bigint NOT NULL,
  reason           text NOT NULL,
  tries            integer NOT NULL DEFAULT 1 CHECK (tries >= 1),
  tried_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (partition_group, customer_id)
);
