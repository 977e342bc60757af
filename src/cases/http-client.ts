/** The little of HTTP that cases need: JSON both ways, and refusals with their code. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'lossless-json';
import { StepRefusal } from './engine.js';

const attemptsMax = 20;

export interface HttpAnswer {
  readonly status: number;
  readonly body: unknown;
}

export class HttpClient {
  private readonly base: string;

  constructor(url: string) {
    this.base = url.replace(/\/+$/, '');
  }

  /** @throws StepRefusal with the problem's code */
  async request(method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown): Promise<unknown> {
    const answer = await this.send(method, path, body);
    if (answer.status < 400) return answer.body;
    throw refusalOf(answer, `${method} ${path}`);
  }

  /** null for 404. */
  async find(path: string): Promise<unknown> {
    const answer = await this.send('GET', path);
    if (answer.status === 404) return null;
    if (answer.status < 400) return answer.body;
    throw refusalOf(answer, `GET ${path}`);
  }

  /** Repeats what was answered with 429 or 503, under one idempotency key. */
  private async send(method: string, path: string, body?: unknown): Promise<HttpAnswer> {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (method === 'POST') headers['idempotency-key'] = randomUUID();
    const text = body === undefined ? null : (stringify(body) ?? null);
    for (let attempt = 1; ; attempt += 1) {
      const response = await fetch(this.base + path, { method, headers, body: text });
      const answer = { status: response.status, body: parseBody(await response.text()) };
      if ((answer.status !== 429 && answer.status !== 503) || attempt === attemptsMax) return answer;
      await sleep(1000 * Number(response.headers.get('retry-after') ?? 1));
    }
  }
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function refusalOf({ status, body }: HttpAnswer, request: string): Error {
  if (typeof body === 'object' && body !== null && 'code' in body && typeof body.code === 'string') {
    return new StepRefusal(body.code, 'detail' in body ? String(body.detail) : request);
  }
  return new Error(`${request} was answered ${status} without a problem: ${String(body).slice(0, 200)}`);
}
