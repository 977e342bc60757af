/**
 * A flood of duplicates, for the bench and for the proofs: many requests over few events, a tenth of them with other content under
 * a used id. Of each event an altered copy is on its way when the first comes, so which content an id has is decided by a race.
 */

export interface FloodRequest {
  readonly id: string;
  readonly body: string;
}

/** What the answer to one request said of its event. */
export type Told = 'accepted' | 'duplicate' | 'conflict' | 'something else';

interface FloodEvent {
  readonly event_id: string;
}

/** A tenth of the requests that are not the first of their event. */
const alteredEvery = 10;

/**
 * Events in turn, in a mixed order after the first of each; in half of the races the altered copy is sent first.
 * @param count requests; at least twice as many as events
 * @param alter gives other content under the same id, another one for each number
 */
export function floodOf<Event extends FloodEvent>(
  events: readonly Event[],
  count: number,
  alter: (event: Event, number: number) => Event,
): readonly FloodRequest[] {
  const requestOf = (event: Event): FloodRequest => ({ id: event.event_id, body: JSON.stringify(event) });
  const races = events.flatMap((event, index) => {
    const [original, altered] = [requestOf(event), requestOf(alter(event, index))];
    return index % 2 === 0 ? [original, altered] : [altered, original];
  });
  const alteredMax = Math.floor(count / alteredEvery);
  let altered = events.length;
  const repeats = Array.from({ length: count - races.length }, (_, index) => {
    // A stride coprime to the number of events mixes their order.
    const event = events[(index * 7_919) % events.length];
    if (event === undefined) throw new Error('a flood has events');
    const isAltered = index % alteredEvery === 0 && altered < alteredMax;
    if (isAltered) altered += 1;
    return requestOf(isAltered ? alter(event, events.length + index) : event);
  });
  return [...races, ...repeats];
}

export interface FloodAnswers {
  /** Content that each id has, by id. */
  readonly winners: ReadonlyMap<string, string>;
  /** Contents that were told to be in conflict, each once. */
  readonly conflicting: ReadonlySet<string>;
  /** Everything that contradicts it; nothing, if all is well. */
  readonly complaints: string[];
}

/** Of each id one request was accepted, its like are duplicates, and the others are in conflict. */
export function judgeFlood(requests: readonly FloodRequest[], told: readonly (Told | undefined)[]): FloodAnswers {
  const winners = new Map<string, string>();
  const conflicting = new Set<string>();
  const complaints: string[] = [];
  for (const [index, { id, body }] of requests.entries()) {
    if (told[index] !== 'accepted') continue;
    if (winners.has(id)) complaints.push(`${id} was accepted twice`);
    winners.set(id, body);
  }
  for (const [index, { id, body }] of requests.entries()) {
    const winner = winners.get(id);
    if (told[index] === 'conflict') conflicting.add(body);
    if (told[index] === 'accepted') continue;
    const expected = winner === body ? 'duplicate' : 'conflict';
    if (winner === undefined || told[index] !== expected)
      complaints.push(`request ${index} of ${id}: ${told[index] ?? 'no answer'}, expected ${expected}`);
  }
  return { winners, conflicting, complaints };
}

/** What an answer 202 to a single event says of it. */
export function toldBy(answer: {
  readonly accepted?: unknown;
  readonly duplicates?: unknown;
  readonly results?: unknown;
}): Told {
  if (answer.accepted === 1) return 'accepted';
  if (answer.duplicates === 1) return 'duplicate';
  const [result] = Array.isArray(answer.results) ? (answer.results as readonly { readonly code?: unknown }[]) : [];
  return result?.code === 'EVENT_ID_REUSED' ? 'conflict' : 'something else';
}
