import * as v from 'valibot';

/**
 * Text that is compiled when the configuration is loaded; what `compile` throws is the fault.
 * @param wanted what is said of a value that is no text
 * @param format what the reference calls it
 */
export function compiled<T>(wanted: string, format: string, compile: (text: string) => T) {
  return v.pipe(
    v.string(wanted),
    v.rawTransform<string, T>(({ dataset, addIssue, NEVER }) => {
      try {
        return compile(dataset.value);
      } catch (error) {
        addIssue({ message: (error as Error).message });
        return NEVER;
      }
    }),
    v.metadata({ format }),
  );
}
