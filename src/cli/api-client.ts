/** The only way in which the command line reaches Reckoner: its HTTP API. */
import { randomUUID } from 'node:crypto';

/** An answer of the API that is not a success. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly errors: readonly { readonly pointer: string; readonly code: string; readonly detail: string }[] = [],
    /** What the server asks to wait before another try, in milliseconds; null when it does not say. */
    readonly retryAfterMs: number | null = null,
  ) {
    super(`${code}: ${detail}`);
  }
}

/** No answer came: nothing listens there, or the connection broke. */
export class ApiUnreachable extends Error {
  override readonly name = 'ApiUnreachable';
}

export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'PUT';
  /** Sent as it stands. */
  readonly body?: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** Makes a repeated POST take effect once. */
  readonly idempotencyKey?: string;
}

export interface ApiClient {
  readonly url: string;
  /**
   * The parsed JSON of a successful answer.
   * @throws ApiProblem, ApiUnreachable
   */
  json(path: string, request?: ApiRequest): Promise<unknown>;
  /**
   * The JSON of each line of a successful answer, as it comes.
   * @throws ApiProblem, ApiUnreachable
   */
  lines(path: string, request?: ApiRequest): AsyncGenerator<unknown>;
  /** The bytes of a successful answer, and the file name that it suggests. */
  bytes(
    path: string,
    request?: Pick<ApiRequest, 'query'>,
  ): Promise<{ readonly bytes: Uint8Array; readonly filename: string | null }>;
}

export interface ApiClientOptions {
  readonly fetcher?: typeof fetch;
  /** In whose name requests are sent; null: nobody's. */
  readonly actor?: string | null;
}

export function createApiClient(url: string, { fetcher = fetch, actor = null }: ApiClientOptions = {}): ApiClient {
  const base = url.endsWith('/') ? url : `${url}/`;
  const call = async (path: string, request: ApiRequest): Promise<Response> => {
    // Relative, so that an API under a path of its own (https://host/billing/) is reached too.
    const target = new URL(path.replace(/^\//, ''), base);
    for (const [key, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) target.searchParams.set(key, value);
    }
    const answer = await reach(target, request, { fetcher, actor });
    if (!answer.ok) throw await problemOf(answer);
    return answer;
  };
  return {
    url,
    json: async (path, request = {}) => {
      const answer = await call(path, request);
      const text = await bodyText(answer);
      return parseJson(text) ?? unexpected(answer.status, `an answer that is not JSON came from ${url}`);
    },
    lines: async function* (path, request = {}) {
      const answer = await call(path, request);
      for await (const line of linesOf(answer)) if (line !== '') yield parseJson(line);
    },
    bytes: async (path, request = {}) => {
      const answer = await call(path, request);
      const disposition = answer.headers.get('content-disposition') ?? '';
      const filename = /filename="?([^";/\\]+)"?/.exec(disposition)?.[1] ?? null;
      return { bytes: new Uint8Array(await answer.arrayBuffer()), filename };
    },
  };
}

/** A key for one intended change; keep it over repetitions of the same request. */
export function newIdempotencyKey(): string {
  return randomUUID();
}

async function reach(
  target: URL,
  request: ApiRequest,
  { fetcher, actor }: { readonly fetcher: typeof fetch; readonly actor: string | null },
): Promise<Response> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (actor !== null) headers['x-reckoner-actor'] = actor;
  if (request.body !== undefined) headers['content-type'] = 'application/json';
  if (request.idempotencyKey !== undefined) headers['idempotency-key'] = request.idempotencyKey;
  const init: RequestInit = { method: request.method ?? 'GET', headers };
  if (request.body !== undefined) init.body = request.body;
  try {
    return await fetcher(target, init);
  } catch (error) {
    throw unreachable(target.origin, error);
  }
}

async function* linesOf(answer: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of answer.body ?? []) {
      const lines = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch (error) {
    throw unreachable(answer.url, error);
  }
  yield rest;
}

async function bodyText(answer: Response): Promise<string> {
  try {
    return await answer.text();
  } catch (error) {
    throw unreachable(answer.url, error);
  }
}

function unreachable(where: string, error: unknown): ApiUnreachable {
  // fetch says "fetch failed"; what failed stands in the cause.
  const cause = isObject(error) && isObject(error['cause']) ? error['cause'] : error;
  const why = isObject(cause) ? (cause['code'] ?? cause['message']) : cause;
  return new ApiUnreachable(`no answer from ${where} (${String(why)}); is the API running, and is --url right?`);
}

async function problemOf(answer: Response): Promise<ApiProblem> {
  const body = parseJson(await bodyText(answer));
  const problem = isObject(body) ? body : {};
  const code = typeof problem['code'] === 'string' ? problem['code'] : `HTTP_${answer.status}`;
  const detail = typeof problem['detail'] === 'string' ? problem['detail'] : `the API answered ${answer.status}`;
  const errors = (Array.isArray(problem['errors']) ? problem['errors'] : []).filter(isObject).map((error) => ({
    pointer: String(error['pointer'] ?? ''),
    code: String(error['code'] ?? ''),
    detail: String(error['detail'] ?? ''),
  }));
  return new ApiProblem(answer.status, code, detail, errors, retryAfter(answer.headers.get('retry-after'), Date.now()));
}

/** RFC 9110: seconds, or a date. */
export function retryAfter(header: string | null, nowMs: number): number | null {
  if (header === null || header.trim() === '') return null;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}

function unexpected(status: number, detail: string): never {
  throw new ApiProblem(status, 'UNEXPECTED_ANSWER', detail);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export type JsonObject = Readonly<Record<string, unknown>>;
/** An object without properties where it is none. */
export const objectOf = (value: unknown): JsonObject => (isObject(value) ? value : {});

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
