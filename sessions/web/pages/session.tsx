import type { JSX } from 'preact';
import { Page } from '../parts/shell.tsx';

export const SessionPage = ({ id }: { id: string }): JSX.Element => <Page title={id}>…</Page>;
