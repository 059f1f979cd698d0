/** A tool definition for a request. */
export const getWeather = {
  name: 'get_weather',
  description: 'The weather in a city right now.',
  parametersJson: JSON.stringify({
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  }),
};

/** The tool's result: the weather is the same everywhere. */
export function weatherNow() {
  return { temperatureCelsius: 21, sky: 'a few clouds', wind: 'light, from the west' };
}
