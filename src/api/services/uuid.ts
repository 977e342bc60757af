const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Ids of ours. What is none names nothing, and does not get to the database. */
export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}
