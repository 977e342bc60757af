/** Where a worker serves its metrics. */
import { bindAddressOf } from '../../src/worker/runtime.js';

test('an address of either kind is bound to as Temporal reads it', () => {
  expect(bindAddressOf({ host: '0.0.0.0', port: 9464 })).toBe('0.0.0.0:9464');
  expect(bindAddressOf({ host: '::1', port: 9464 })).toBe('[::1]:9464');
});
