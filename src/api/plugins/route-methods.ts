/** Which methods a path has, so that the wrong one is answered 405 with `Allow` instead of 404. */
import type { Api } from '../types.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** The methods of the routes that match the path of the URL, sorted; empty when there is no route. */
    methodsOf(url: string): readonly string[];
  }
}

interface KnownRoute {
  readonly path: RegExp;
  readonly methods: readonly string[];
}

/** To be registered before any route. */
export function registerRouteMethods(app: Api): void {
  const routes: KnownRoute[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    routes.push({ path: patternOf(url), methods: Array.isArray(method) ? method : [method] });
  });
  app.decorate('methodsOf', (url: string) => {
    const path = url.split('?', 1)[0] ?? '';
    const methods = routes.filter((route) => route.path.test(path)).flatMap((route) => route.methods);
    return [...new Set(methods)].sort();
  });
}

/** `/invoices/:id/pdf` and `/docs/*` as expressions over the path. */
function patternOf(url: string): RegExp {
  const segments = url.split('/').map((segment) => {
    if (segment === '*') return '.*';
    return segment.startsWith(':') ? '[^/]+' : segment.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${segments.join('/')}$`);
}
