import { EventsInFlight } from '../../src/storage/events-in-flight.js';
import type { UsageEvent } from '../../src/domain/metering/event.js';

const eventsOf = (...hashes: readonly string[]): readonly UsageEvent[] =>
  hashes.map((contentHash) => ({ contentHash }) as UsageEvent);

/** Something that is under way until it is told to end. */
function work(): { readonly run: () => Promise<string>; readonly end: () => void; readonly isRunning: () => boolean } {
  let state = 'waits';
  let end = (): void => undefined;
  return {
    run: () => {
      state = 'runs';
      return new Promise((resolve) => {
        end = () => {
          state = 'ended';
          resolve('stored');
        };
      });
    },
    end: () => end(),
    isRunning: () => state === 'runs',
  };
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

test('an event that is being stored waits until it is', async () => {
  const inFlight = new EventsInFlight();
  const [first, second] = [work(), work()];
  const one = inFlight.during(eventsOf('1', '2'), first.run);
  const two = inFlight.during(eventsOf('2', '3'), second.run);
  await turns();
  expect([first.isRunning(), second.isRunning()]).toEqual([true, false]);
  first.end();
  await expect(one).resolves.toBe('stored');
  await turns();
  expect(second.isRunning()).toBe(true);
  second.end();
  await expect(two).resolves.toBe('stored');
});

test('others do not wait', async () => {
  const inFlight = new EventsInFlight();
  const [first, second] = [work(), work()];
  void inFlight.during(eventsOf('1', '1'), first.run);
  void inFlight.during(eventsOf('2'), second.run);
  await turns();
  expect([first.isRunning(), second.isRunning()]).toEqual([true, true]);
});

test('three that overlap in a ring all end', async () => {
  const inFlight = new EventsInFlight();
  const running: string[] = [];
  const store = async (name: string): Promise<void> => {
    running.push(name);
    await turns();
  };
  await Promise.all([
    inFlight.during(eventsOf('a', 'b'), () => store('ab')),
    inFlight.during(eventsOf('b', 'c'), () => store('bc')),
    inFlight.during(eventsOf('c', 'a'), () => store('ca')),
  ]);
  expect(running.sort()).toEqual(['ab', 'bc', 'ca']);
});

test('a failure lets the next one in', async () => {
  const inFlight = new EventsInFlight();
  await expect(inFlight.during(eventsOf('1'), () => Promise.reject(new Error('away')))).rejects.toThrow('away');
  await expect(inFlight.during(eventsOf('1'), () => Promise.resolve('stored'))).resolves.toBe('stored');
});
