/** Requests over a socket, as far as `inject` does not reach: bodies that stream, and connections that break. */
import { request, type Agent, type ClientRequest, type IncomingHttpHeaders } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface OpenRequest {
  readonly answer: Promise<Answer>;
  /** Resolves when the socket has taken it. */
  write(bytes: string | Buffer): Promise<void>;
  end(bytes?: string | Buffer): void;
  destroy(): void;
}

export function openPost(url: string, headers: Record<string, string>, agent?: Agent): OpenRequest {
  const sent = request(url, { method: 'POST', headers, ...(agent !== undefined && { agent }) });
  const answer = answerOf(sent);
  return {
    answer,
    write: (bytes) =>
      new Promise((resolve) => {
        sent.write(bytes, () => resolve());
      }),
    end: (bytes) => void sent.end(bytes),
    destroy: () => void sent.destroy(),
  };
}

export function post(
  url: string,
  body: string | Buffer,
  headers: Record<string, string>,
  agent?: Agent,
): Promise<Answer> {
  const open = openPost(url, { 'content-length': String(Buffer.byteLength(body)), ...headers }, agent);
  open.end(body);
  return open.answer;
}

function answerOf(sent: ClientRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    sent.on('error', reject);
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Answer['body'];
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
    });
  });
}
