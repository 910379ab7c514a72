/** Tells the application what left a workflow open. Its own errors must neither end the process nor keep the answer back. */

/** Which workflow an error is about. */
export interface Named {
  readonly name: string;
  readonly gid: string;
}

export type OnError = (error: unknown, workflow: Named) => void;

export const logError: OnError = (error, { name, gid }) => console.error(`workflow ${name} (${gid}) stays open:`, error);

export async function report(onError: OnError, error: unknown, workflow: Named): Promise<void> {
  try {
    await onError(error, workflow);
  } catch (second) {
    logError(error, workflow);
    console.error("and onError failed:", second);
  }
}
