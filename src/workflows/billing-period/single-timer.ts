import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';

/**
 * The workflow's one timer. Every timer is an action that is paid for, so it is started anew only for an earlier
 * deadline; for a later one the armed timer fires first, and the loop arms the next one then.
 */
export class SingleTimer {
  private armed: { readonly atMs: number; readonly scope: CancellationScope } | null = null;

  /** True until a fired timer's wake-up has been handled by arming the next. */
  get isArmed(): boolean {
    return this.armed !== null;
  }

  arm(atMs: number, summary: string): void {
    if (this.armed !== null && this.armed.atMs <= atMs) return;
    this.disarm();
    const scope = new CancellationScope();
    this.armed = { atMs, scope };
    scope
      .run(() => sleep(Math.max(1, atMs - Date.now()), { summary }))
      .then(() => this.forget(scope))
      .catch((error: unknown) => {
        // Only our own disarm() cancels it. A cancelled workflow ends at its next await in the main loop.
        if (!isCancellation(error)) throw error;
        this.forget(scope);
      });
  }

  disarm(): void {
    const { armed } = this;
    this.armed = null;
    armed?.scope.cancel();
  }

  private forget(scope: CancellationScope): void {
    if (this.armed?.scope === scope) this.armed = null;
  }
}
