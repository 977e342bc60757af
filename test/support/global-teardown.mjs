/** Jest's globalTeardown: stops the server that global-setup.mjs started and removes its folder. */
export default async function stopPostgres() {
  await globalThis.reckonerTestPostgres?.stop();
}
