/** The OpenAPI 3.1 document, made from the routes' schemas, and its pages under /docs. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { Api } from '../types.js';

export function registerOpenApi(app: Api): void {
  void app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Reckoner',
        version: '0.1.0',
        description:
          'Usage metering, rating and invoicing. Decimals are strings; instants are RFC 3339; intervals are half-open. ' +
          'Errors are RFC 9457 problem details with a stable `code`.',
      },
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => withoutUnused(jsonSchemaTransformObject(document)),
  });
  void app.register(swaggerUi, { routePrefix: '/docs' });
}

/** Every named schema is listed for requests and for answers; only what a route refers to is kept. */
function withoutUnused<T extends object>(document: T): T {
  const { components } = document as { readonly components?: { readonly schemas?: Readonly<Record<string, unknown>> } };
  const text = JSON.stringify(document);
  const isUsed = ([name]: readonly [string, unknown]): boolean => text.includes(`"#/components/schemas/${name}"`);
  const schemas = Object.fromEntries(Object.entries(components?.schemas ?? {}).filter(isUsed));
  return { ...document, components: { ...components, schemas } };
}
