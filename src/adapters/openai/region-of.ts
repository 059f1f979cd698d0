const regionalHost = /^([a-z]{2,8})\.api\.openai\.com$/;

/**
 * The region whose endpoint a base URL is of: `eu` of https://eu.api.openai.com/v1; null for one that is in none.
 *
 * Source: https://platform.openai.com/docs/guides/your-data (data residency)
 */
export function regionOf(baseUrl: string): string | null {
  return regionalHost.exec(new URL(baseUrl).hostname.toLowerCase())?.[1] ?? null;
}
