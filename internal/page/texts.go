package page

import "slices"

// translation has the sentences of WordPress's own failures in one language.
type translation struct{ language, fatal, database, maintenance string }

// translations returns the sentences as the language packs of WordPress 6.7 have them: the
// languages in which most sites are written, and those of the packs at hand besides. Other
// languages are recognised by structure alone.
func translations() []translation {
	return slices.Concat(usualTranslations(), moreTranslations(), otherTranslations())
}

func usualTranslations() []translation {
	return []translation{
		{
			"en_US", "There has been a critical error on this website.",
			"Error establishing a database connection",
			"Briefly unavailable for scheduled maintenance. Check back in a minute.",
		},
		{
			"ja", "このサイトで重大なエラーが発生しました。",
			"データベース接続確立エラー",
			"現在メンテナンス中のため、しばらくの間ご利用いただけません。",
		},
		{
			"de_DE", "Es gab einen kritischen Fehler auf deiner Website.",
			"Fehler beim Aufbau einer Datenbankverbindung",
			"Diese Website ist aufgrund planmäßiger Wartungsarbeiten vorübergehend nicht verfügbar. Bitte versuche es in wenigen Minuten erneut.",
		},
		{
			"es_ES", "Ha habido un error crítico en esta web.",
			"Error al establecer una conexión con la base de datos",
			"No disponible temporalmente por mantenimiento programado. Vuelve a comprobarlo en unos minutos.",
		},
		{
			"fr_FR", "Il y a eu une erreur critique sur ce site.",
			"Erreur lors de la connexion à la base de données",
			"Indisponibilité temporaire pour cause de maintenance. Veuillez revenir dans un instant.",
		},
		{
			"pt_BR", "Há um erro crítico no seu site.",
			"Erro ao estabelecer uma conexão com o banco de dados",
			"Momentaneamente indisponível para manutenção programada. Confira novamente em um minuto.",
		},
		{
			"it_IT", "Si è verificato un errore critico sul tuo sito web.",
			"Errore nello stabilire una connessione al database",
			"Momentaneamente non disponibile per manutenzione. Riprova fra un minuto.",
		},
		{
			"nl_NL", "Er heeft zich een kritieke fout voorgedaan op deze site.",
			"Fout bij het maken van de databaseconnectie",
			"Tijdelijk niet beschikbaar vanwege gepland onderhoud. Probeer het over enkele minuten nog een keer.",
		},
		{
			"ru_RU", "На сайте возникла критическая ошибка.",
			"Ошибка установки соединения с базой данных",
			"Сайт ненадолго закрыт на техническое обслуживание. Зайдите через минуту.",
		},
	}
}

func moreTranslations() []translation {
	return []translation{
		{
			"pl_PL", "W witrynie wystąpił błąd krytyczny.",
			"Błąd łączenia się z bazą danych",
			"Witryna jest tymczasowo niedostępna z powodu zaplanowanych prac konserwacyjnych. Zapraszamy ponownie za minutę.",
		},
		{
			"tr_TR", "Sitenizde ciddi bir sorun çıktı.",
			"Veri tabanı bağlantısı kurulurken sorun çıktı",
			"Planlanmış bakım çalışması yapıldığından site kullanılamıyor. Birkaç dakika sonra yeniden bakın.",
		},
		{
			"zh_CN", "此站点遇到了致命错误。",
			"建立数据库连接时出错",
			"正在执行例行维护，请一分钟后回来。",
		},
		{
			"da_DK", "Der er sket en kritisk fejl på dit websted.",
			"Fejl ved etablering af databaseforbindelse",
			"Kortvarigt utilgængelig pga. planlagt vedligeholdelse. Vend tilbage om et minut.",
		},
		{
			"el", "Παρουσιάστηκε ένα κρίσιμο σφάλμα σε αυτόν τον ιστότοπο.",
			"Σφάλμα κατά τη σύνδεση με τη βάση δεδομένων",
			"Προσωρινά μη διαθέσιμο για προγραμματισμένη συντήρηση. Δοκιμάστε πάλι σ’ ένα λεπτό.",
		},
		{
			"fi", "Sivustolla on ollut kriittinen virhe.",
			"Tietokantayhteys epäonnistui",
			"Sivustoa huolletaan ja se on hetken poissa käytöstä. Kokeile uudestaan minuutin kuluttua.",
		},
		{
			"id_ID", "Ada eror serius pada situs web Anda.",
			"Galat mengadakan koneksi basis data",
			"Tidak tersedia untuk beberapa saat karena ada pemeliharaan yang telah dijadwalkan. Harap periksa kembali sebentar lagi.",
		},
		{
			"ko_KR", "이 웹사이트에 치명적인 오류가 있습니다.",
			"데이터베이스 연결 중 오류",
			"예약한 유지보수로 인해 잠시 사용할 수 없습니다. 잠시 후에 다시 확인하세요.",
		},
		{
			"nb_NO", "En kritisk feil har inntruffet på dette nettstedet.",
			"Feil: klarte ikke å etablere databasetilkobling",
			"Midlertidig utilgjengelig for planlagt vedlikehold. Prøv igjen om et minutt.",
		},
	}
}

func otherTranslations() []translation {
	return []translation{
		{
			"pt_PT", "Ocorreu um erro crítico neste site.",
			"Erro ao estabelecer uma ligação com a base de dados",
			"De momento indisponível para uma breve manutenção agendada. Volte dentro de uns minutos.",
		},
		{
			"sr_RS", "Постоји критична грешка на вашем веб месту.",
			"Грешка у успостављању везе са базом података",
			"Накратко недоступно због заказаног одржавања. Проверите поново за минут.",
		},
		{
			"sv_SE", "Det har uppstått ett kritiskt fel på webbplatsen.",
			"Ett fel uppstod vid anslutning till databasen",
			"Webbplatsen är tillfälligt otillgänglig på grund av ett planerat underhållsarbete. Välkommen tillbaka om någon minut.",
		},
		{
			"th", "เกิดข้อผิดพลาดร้ายแรงบนเว็บไซต์นี้",
			"การเชื่อมต่อกับฐานข้อมูลผิดพลาด",
			"ใช้งานไม่ได้ชั่วครู่เนื่องจากการดูแลรักษาตามตารางเวลา  โปรดลองอีกครั้งในอีกสองสามนาทีข้างหน้า",
		},
		{
			"tl", "Nagkaroon ng isang kritikal na error sa website na ito.",
			"Walang koneksiyon sa database",
			"Hindi magagamit para sa mga naka-shcedule na maintenance. Bumalik muli sa loob ng isang minuto.",
		},
		{
			"uk", "На сайті виникла критична помилка.",
			"Виникла помилка під час з’єднання з базою даних",
			"Сайт ненадовго закритий на технічне обслуговування. Зайдіть через хвилину.",
		},
		{
			"vi", "Đã có một lỗi nghiêm trọng trên trang web của bạn.",
			"Lỗi kết nối tới cơ sở dữ liệu",
			"Trang web hiện đang được bảo dưỡng. Bạn vui lòng quay lại trong vài phút nữa.",
		},
		{
			"zh_TW", "這個網站發生嚴重錯誤。",
			"建立資料庫連線時發生錯誤",
			"目前網站因例行性維護而暫時無法存取，請稍後再回來查看。",
		},
	}
}
