/** A usage error, or another reason why the command can't run. The message is one line for the user. */
export class Misuse extends Error {
  override readonly name = 'Misuse';

  constructor(
    message: string,
    readonly exitCode: 1 | 2 = 2,
  ) {
    super(message);
  }
}
