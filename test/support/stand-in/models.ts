interface Model {
  id: string;
  object: 'model';
  created: number;
  owned_by: string;
}

const ids = [
  'gpt-3.5-turbo',
  'gpt-4',
  'gpt-4-turbo',
  'gpt-4o',
  'gpt-4o-mini',
  'gpt-4.1',
  'gpt-4.1-mini',
  'gpt-4.1-nano',
  'gpt-5',
  'gpt-5-mini',
  'gpt-5-nano',
  'gpt-5.1',
  'o3',
  'o4-mini',
];

const models: Model[] = ids.map((id, index) => ({
  id,
  object: 'model',
  created: 1_700_000_000 + index * 86_400,
  owned_by: 'stand-in',
}));

/** The models that `GET /v1/models` lists. Chat requests may name any other as well. */
export function listModels(): { object: 'list'; data: Model[] } {
  return { object: 'list', data: models };
}

export function findModel(id: string): Model | undefined {
  return models.find((model) => model.id === id);
}
