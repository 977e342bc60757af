/** Values by key: keys as they first came, the values of each as they came (Map.groupBy is not in Node 20). */
export function groupBy<T, K extends string>(
  values: readonly T[],
  keyOf: (value: T) => K,
): ReadonlyMap<K, readonly [T, ...T[]]> {
  const groups = new Map<K, [T, ...T[]]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}
