import type { JSX } from 'preact';
import { Page } from '../parts/shell.tsx';

export const FrictionPage = (): JSX.Element => <Page title="Friction">…</Page>;
