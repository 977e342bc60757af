import { retryAfter } from '../../src/cli/api-client.js';
import { forEachConcurrently } from '../../src/cli/import/sender.js';

async function* count(to: number, onRead: (item: number) => void = () => undefined): AsyncGenerator<number> {
  for (let item = 1; item <= to; item += 1) {
    onRead(item);
    yield item;
  }
}

describe('forEachConcurrently', () => {
  it('works on as many as allowed, and reads no further ahead', async () => {
    const finish: (() => void)[] = [];
    let read = 0;
    let running = 0;
    let most = 0;
    const all = forEachConcurrently(
      count(20, () => (read += 1)),
      3,
      async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise<void>((resolve) => finish.push(resolve));
        running -= 1;
      },
    );
    for (let done = 0; done < 20; done += 1) {
      while (finish.length <= done) await new Promise((resolve) => setImmediate(resolve));
      expect(read).toBeLessThanOrEqual(done + 3);
      finish[done]?.();
    }
    await all;
    expect(most).toBe(3);
  });

  it('stops reading at the first error, and throws it when what was begun has ended', async () => {
    const ended: number[] = [];
    let read = 0;
    const work = async (item: number): Promise<void> => {
      await new Promise((resolve) => setImmediate(resolve));
      if (item === 2) throw new Error('two');
      ended.push(item);
    };
    await expect(
      forEachConcurrently(
        count(1000, () => (read += 1)),
        4,
        work,
      ),
    ).rejects.toThrow('two');
    expect(read).toBeLessThan(20);
    expect(ended.length).toBe(read - 1);
  });

  it('throws an error of the source', async () => {
    async function* broken(): AsyncGenerator<number> {
      yield 1;
      throw new Error('disk');
    }
    await expect(forEachConcurrently(broken(), 4, async () => undefined)).rejects.toThrow('disk');
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2024-01-01T00:00:00Z');
  it.each([
    [null, null],
    ['', null],
    ['3', 3000],
    ['Mon, 01 Jan 2024 00:00:10 GMT', 10_000],
    ['Sun, 31 Dec 2023 00:00:00 GMT', 0],
    ['soon', null],
  ])('%p means %p ms', (header, expected) => expect(retryAfter(header, now)).toBe(expected));
});
