module github.com/Automattic/jetmon

go 1.26.0
