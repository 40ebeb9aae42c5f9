/** A command line that can't be done, or something that keeps the command from running: one line for the user. */
export class Misuse extends Error {
  override readonly name = 'Misuse';

  constructor(
    message: string,
    readonly exitCode: 1 | 2 = 2,
  ) {
    super(message);
  }
}
