import type { Catalog } from '../../ports/catalog.ts';
import type { ChatProvider } from '../../ports/provider.ts';
import type { TokenCounter } from '../../ports/tokens.ts';
import type { Admission } from '../admission/admission.ts';
import type { CallDefaults } from '../admission/plan-call.ts';
import type { BudgetOptions } from '../admission/reserve-budget.ts';
import type { CallerOptions } from '../calling/caller-options.ts';
import type { Claims } from '../claims/claims.ts';
import type { AnswerCheckOptions } from './check-answer.ts';
import type { OutcomeOptions } from './conclude-request.ts';

/** Options for the decisions before a call. */
export interface PlanningOptions {
  readonly providers: ReadonlyMap<string, ChatProvider>;
  readonly catalog: Catalog;
  readonly defaults: CallDefaults;
  readonly tokens: TokenCounter;
}

/** Everything that handling a request needs, made once for all requests. */
export interface HandlerOptions {
  readonly planning: PlanningOptions;
  readonly admission: Admission;
  readonly claims: Claims;
  readonly budgets: BudgetOptions;
  readonly caller: CallerOptions;
  readonly checker: AnswerCheckOptions;
  readonly outcomes: OutcomeOptions;
}
