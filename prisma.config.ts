/** For the Prisma CLI (`prisma generate`, `prisma migrate`). The program itself applies migrations with src/storage/migrate.ts. */
import { defineConfig } from 'prisma/config';

const url = process.env['DATABASE_URL'];

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  // `prisma generate` needs no database.
  ...(url === undefined ? {} : { datasource: { url } }),
});
