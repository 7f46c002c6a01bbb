/**
 * Compiles a choice by weight. The function returned takes a random number from 0 to below 1.
 * @param choices at least one of a weight above 0
 */
export function compileWeighted<T>(
  choices: readonly { readonly value: T; readonly weight: number }[],
): (random: number) => T {
  const some = choices.filter(({ weight }) => weight > 0);
  const bounds: number[] = [];
  let total = 0;
  for (const { weight } of some) bounds.push((total += weight));
  return function pickByWeight(random) {
    const point = random * total;
    const place = bounds.findIndex((bound) => point < bound);
    return some[place < 0 ? some.length - 1 : place]!.value;
  };
}
