import { connect, createServer, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';

/** A TCP proxy that a test can cut or slow down: to whoever connects through it, the server behind it is gone, or slow. */
export class BreakableProxy {
  private readonly sockets = new Set<Socket>();
  private server: Server | null = null;
  private broken = false;
  private delayMs = 0;

  /** The URL, leading through the proxy. */
  async through(url: string): Promise<string> {
    const target = new URL(url);
    const { hostname, port } = target;
    const server = createServer((client) => {
      if (this.broken) {
        client.destroy();
        return;
      }
      const upstream = connect(Number(port), hostname);
      for (const socket of [client, upstream]) {
        this.sockets.add(socket);
        socket
          .on('error', () => undefined)
          .on('close', () => {
            this.sockets.delete(socket);
            client.destroy();
            upstream.destroy();
          });
      }
      client.pipe(upstream).pipe(this.delaying()).pipe(client);
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    target.port = String(address.port);
    return target.href;
  }

  cut(): void {
    this.broken = true;
    for (const socket of this.sockets) socket.destroy();
  }

  heal(): void {
    this.broken = false;
    this.delayMs = 0;
  }

  /** Every piece that the server sends arrives so much later (ms). */
  slow(delayMs: number): void {
    this.delayMs = delayMs;
  }

  private delaying(): Transform {
    return new Transform({
      transform: (chunk, _encoding, done) => {
        if (this.delayMs === 0) done(null, chunk);
        else setTimeout(() => done(null, chunk), this.delayMs);
      },
    });
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => (this.server === null ? resolve() : this.server.close(() => resolve())));
  }
}
