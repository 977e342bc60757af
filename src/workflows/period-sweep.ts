import type { SweepOutput } from '../contracts/activities.js';
import { chunkActivities } from './activity-proxies.js';

/**
 * The safety net, once a day: starts the workflow of every billing period that should have one. In the regular course
 * the relay and the period before have done so already.
 */
export async function periodSweep(): Promise<SweepOutput> {
  return chunkActivities.sweepPeriods.executeWithOptions({ summary: 'Start the workflows of unfinished periods' }, []);
}
