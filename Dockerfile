# The server program: one image for api, worker and migrate.
FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json prisma.config.ts ./
COPY prisma prisma
COPY scripts scripts
COPY src src
# Prisma client, dist/ and the workflow bundle, so that a worker starts without bundling.
RUN npm run build && npm prune --omit=dev

FROM node:22-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY prisma/migrations prisma/migrations
COPY bin bin
# A volume mounted here belongs to whom the folder belongs to.
RUN mkdir /files /anchors && chown node:node /anchors
USER node
EXPOSE 8080
# No shell and no npm in between: signals reach the program, which stops in order.
# The flag: docs/PERFORMANCE.md, "What limits each row".
ENTRYPOINT ["node", "--max-semi-space-size=64", "dist/main.js"]
CMD ["all"]
