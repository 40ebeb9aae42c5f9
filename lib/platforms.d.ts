// The packages of the platforms, of which at most one is installed.
declare module 'git-ai-metrics-*';
