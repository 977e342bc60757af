/** Every function exported here is registered as a workflow: name them one by one, never `export *`. */
export { auditAnchor } from './audit-anchor.js';
export { billingPeriod } from './billing-period.js';
export { invoicing } from './invoicing.js';
export { periodClose } from './period-close.js';
export { periodSweep } from './period-sweep.js';
export { priceEvaluation } from './price-evaluation.js';
export { reconciliation } from './reconciliation.js';
export { reRating } from './re-rating.js';
export { usageRelay } from './usage-relay.js';
