/** What group commit is measured against: a bare node:http server that inserts and commits each request by itself. */
import { createServer } from 'node:http';
import { Pool } from 'pg';

const pool = new Pool({ connectionString: process.env['DATABASE_URL'], max: 8 });
const insert = `INSERT INTO telemetry_events (customer_id, source, event_id, partition, event_type, event_time, content_hash, metadata)
  VALUES ($1, '', $2, 0, $3, $4, 0, $5) ON CONFLICT DO NOTHING`;
const accepted = '{"accepted":1,"duplicates":0,"rejected":0,"results":[]}';

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  const answer = (status: number, body: string): void => {
    response
      .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
      .end(body);
  };
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const event = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Readonly<Record<string, unknown>>;
    const { customer_id, event_id, event_type, event_time, metadata } = event;
    const values = [customer_id, event_id, event_type, event_time, JSON.stringify(metadata)];
    pool.query({ name: 'insert', text: insert, values }).then(
      () => answer(202, accepted),
      (error: unknown) => answer(500, String(error)),
    );
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.stdout.write(`${address.port}\n`);
});
