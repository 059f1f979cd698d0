import { z } from 'zod';
import { type Billing, billingSchema } from './billing.ts';
import type { CallLog } from './call-log.ts';
import { type ModelDirectory, modelListingSchema } from './models.ts';
import { limitsSchema, type RateLimiter } from './rate-limits.ts';
import { parseScripts, ScriptError } from './script.ts';
import type { ScriptSource } from './script-source.ts';

/** What a control request is answered with. */
export interface ControlAnswer {
  status: number;
  body: unknown;
}

/** The parts of the stand-in that can be looked at and changed while it runs. */
export interface Controls {
  log: CallLog;
  limiter: RateLimiter;
  scripts: ScriptSource;
  models: ModelDirectory;
  billing: Billing;
  /** The default script given at the start, to which a reset returns. */
  initialDefault: unknown;
}

/** Carries out one request to `/control/…`; `body` is its text. */
export function control(route: string, body: string, controls: Controls): ControlAnswer {
  try {
    return answer(route, body, controls);
  } catch (error) {
    if (error instanceof ScriptError) return { status: 400, body: { error: error.message } };
    if (error instanceof SyntaxError)
      return { status: 400, body: { error: `${route}: not JSON: ${error.message}` } };
    if (error instanceof z.ZodError)
      return { status: 400, body: { error: `${route}: ${z.prettifyError(error)}` } };
    throw error;
  }
}

function answer(route: string, body: string, controls: Controls): ControlAnswer {
  const { log, limiter } = controls;
  switch (route) {
    case 'GET /control/calls':
      return { status: 200, body: log.calls() };
    case 'GET /control/summary':
      return { status: 200, body: log.summary() };
    case 'DELETE /control/calls':
      log.clear();
      return { status: 204, body: undefined };
    case 'PUT /control/default':
      setDefault(controls.scripts, JSON.parse(body));
      return { status: 204, body: undefined };
    case 'PUT /control/limits': {
      const limits: unknown = JSON.parse(body);
      limiter.setLimits(limits === null ? undefined : limitsSchema.parse(limits));
      return { status: 204, body: undefined };
    }
    case 'GET /control/models':
      return { status: 200, body: { asked: controls.models.asked } };
    case 'PUT /control/models': {
      const listing: unknown = JSON.parse(body);
      controls.models.set(listing === null ? undefined : modelListingSchema.parse(listing));
      return { status: 204, body: undefined };
    }
    case 'PUT /control/billing':
      controls.billing.set(billingSchema.parse(JSON.parse(body)));
      return { status: 204, body: undefined };
    case 'POST /control/reset':
      log.clear();
      limiter.setLimits(undefined);
      controls.models.reset();
      controls.scripts.forgetCalls();
      setDefault(controls.scripts, controls.initialDefault);
      return { status: 204, body: undefined };
    default:
      return { status: 404, body: { error: `${route}: no such control; docs/stand-in.md lists them` } };
  }
}

/** @throws ScriptError */
export function setDefault(scripts: ScriptSource, value: unknown): void {
  scripts.setDefault(value == null ? undefined : parseScripts(value));
}
