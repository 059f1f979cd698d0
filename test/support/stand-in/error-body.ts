import type { Script } from './script.ts';

interface ErrorMembers {
  message: string;
  type: string | null;
  param: string | null;
  code: string | number | null;
}

const defaults: Record<number, ErrorMembers> = {
  400: { message: 'Invalid request.', type: 'invalid_request_error', param: null, code: null },
  401: {
    message: 'Incorrect API key provided: sk-stand***-key. You can find your API key in your account.',
    type: 'invalid_request_error',
    param: null,
    code: 'invalid_api_key',
  },
  403: {
    message: 'Country, region, or territory not supported',
    type: 'request_forbidden',
    param: null,
    code: 'unsupported_country_region_territory',
  },
  404: {
    message: 'The requested model does not exist or you do not have access to it.',
    type: 'invalid_request_error',
    param: null,
    code: 'model_not_found',
  },
  429: {
    message: 'Rate limit reached for requests. Please try again later.',
    type: 'requests',
    param: null,
    code: 'rate_limit_exceeded',
  },
  500: {
    message: 'The server had an error while processing your request. Sorry about that!',
    type: 'server_error',
    param: null,
    code: null,
  },
  503: {
    message: 'The server is currently overloaded with other requests. Please try again later.',
    type: 'service_unavailable_error',
    param: null,
    code: 'server_is_overloaded',
  },
};

/** The JSON text `{"error": {message, type, param, code}}` that OpenAI sends with a status, parts overridden. */
export function errorBody(status: number, overrides: Script['error'] = {}): string {
  const base = defaults[status] ?? { ...defaults[status < 500 ? 400 : 500] };
  return JSON.stringify({ error: { ...base, ...overrides } });
}
