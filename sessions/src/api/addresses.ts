/**
 * An address of a repository without the user and the password that it may contain. Queries answer it so, too: see
 * `without_credentials` in codegen/template.rs.
 */
export const withoutCredentials = (url: string): string => url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1');
