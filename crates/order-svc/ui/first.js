// Runs before the first paint, so that nobody sees the wrong theme flash by.
{
	const { theme, language = navigator.language } = localStorage;
	document.documentElement.dataset.theme = theme ?? 'auto';
	document.documentElement.lang = language.startsWith('ko') ? 'ko' : 'en';
}
