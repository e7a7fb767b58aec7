/** What routes share. */
import type { FastifyInstance } from 'fastify';
import type { ServeOptions } from './options.js';
import type { ServedModels } from './served-models.js';
import type { ServerMetrics } from './server-metrics.js';

export interface ServerContext {
  readonly options: ServeOptions;
  readonly models: ServedModels;
  readonly metrics: ServerMetrics;
  /** Of the package. */
  readonly version: string;
  readonly startedAt: Date;
}

/** Adds one route, or the few that belong to one path. */
export type Route = (app: FastifyInstance, context: ServerContext) => void;

/** What a request's log line tells beside its status. */
export interface Work {
  readonly model: string;
  readonly texts: number;
  readonly tokens: number;
  readonly truncated: number;
}

declare module 'fastify' {
  interface FastifyRequest {
    work: Work | null;
    beganAt: number;
    releaseBody: (() => void) | null;
  }
  interface FastifyContextConfig {
    /** Answers without an API key. */
    isPublic?: boolean;
    /** Computes: refused at once while every embedding model's queue is full. */
    embeds?: boolean;
    /** Likewise, of rerankers. */
    reranks?: boolean;
  }
}
